//! Values for parameters from the command line, over those of recipes.

use super::error::TrialError;
use std::collections::BTreeMap;
use std::str::FromStr;

/// `NAME=VALUE` for every document that has the parameter, `COMPONENT:NAME=VALUE` for those of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// For this component only.
    pub component: Option<String>,
    /// The parameter.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl FromStr for Given {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (left, value) = text.split_once('=').ok_or("write NAME=VALUE or COMPONENT:NAME=VALUE")?;
        let (component, name) = left.split_once(':').map_or((None, left), |(component, name)| (Some(component), name));
        if name.is_empty() || component == Some("") {
            return Err("a name is missing in front of the value");
        }
        Ok(Self { component: component.map(str::to_owned), name: name.to_owned(), value: value.to_owned() })
    }
}

/// The given values, and which of them anybody has taken: one that nobody knows is a mistake and not a wish.
#[derive(Debug)]
pub(super) struct Givens<'a> {
    given: &'a [Given],
    taken: Vec<bool>,
}

impl<'a> Givens<'a> {
    pub(super) fn new(given: &'a [Given]) -> Self {
        Self { given, taken: vec![false; given.len()] }
    }

    /// Puts what is meant for a component among its parameters.
    pub(super) fn apply(
        &mut self,
        component: &str,
        parameters: &mut BTreeMap<String, String>,
        takes: impl Fn(&str) -> bool,
    ) {
        // What is said for one component counts more than what is said for all.
        for wanted in [None, Some(component)] {
            for (given, taken) in self.given.iter().zip(&mut self.taken) {
                if given.component.as_deref() == wanted && takes(&given.name) {
                    parameters.insert(given.name.clone(), given.value.clone());
                    *taken = true;
                }
            }
        }
    }

    /// # Errors
    /// The first value that no document has taken.
    pub(super) fn finish(self) -> Result<(), TrialError> {
        let left = self.given.iter().zip(self.taken).find(|(_, taken)| !taken);
        left.map_or(Ok(()), |(given, _)| {
            let message = match &given.component {
                Some(component) => format!("no component `{component}` with a parameter `{}` is tested", given.name),
                None => format!("no document that is tested has a parameter `{}`", given.name),
            };
            Err(TrialError::Option { message, next: "take it out, or correct its name: letter case counts".to_owned() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_anything() {
        let given: Given = "motd:Text=a=b:c".parse().unwrap();
        assert_eq!(
            (given.component.as_deref(), given.name.as_str(), given.value.as_str()),
            (Some("motd"), "Text", "a=b:c")
        );
        assert_eq!("Text=".parse::<Given>().unwrap().value, "");
        for wrong in ["Text", "=x", ":Text=x", "motd:=x"] {
            assert!(wrong.parse::<Given>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_value_that_nobody_takes_is_an_error() {
        let given: Vec<Given> =
            ["motd:Text=one", "Text=all", "Txet=x"].iter().map(|text| text.parse().unwrap()).collect();
        let mut givens = Givens::new(&given);
        let (mut motd, mut other) = (BTreeMap::new(), BTreeMap::new());
        givens.apply("motd", &mut motd, |name| name == "Text");
        givens.apply("other", &mut other, |name| name == "Text");
        assert_eq!((motd["Text"].as_str(), other["Text"].as_str()), ("one", "all"));
        assert!(givens.finish().unwrap_err().to_string().contains("`Txet`"));
    }
}
