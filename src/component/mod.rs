//! The component language: model, parser, expressions, action modules. Pure.
