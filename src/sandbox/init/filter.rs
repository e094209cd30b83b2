//! Filters of system calls (seccomp(2)), inherited by everything that runs in an instance.
//!
//! Only two modes need one. With a single id, files cannot be given away: the filter answers success to what would try,
//! so that package scripts go on. Without namespaces, a job that kills "all it may" would mean the whole container.
//!
//! The other modes have none: what a filter could forbid there is bounded by the user namespace already, and programs of
//! an image (systemd, package managers, containers in it) use most of the kernel.

use crate::sandbox::sys;
use nix::errno::Errno;
use nix::libc::{self, sock_filter};
use std::io;

/// Fields of `struct seccomp_data`, linux/seccomp.h.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// The low half of an argument; both of our architectures are little-endian.
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

/// `AUDIT_ARCH_X86_64` and `AUDIT_ARCH_AARCH64`, linux/audit.h: the ELF machine, 64 bits, little-endian.
#[cfg(target_arch = "x86_64")]
const OURS: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const OURS: u32 = 0xC000_00B7;

/// Calls of the x32 ABI carry this bit, asm/unistd.h; no distribution uses it.
const X32: u32 = 0x4000_0000;

/// Changes of owner and identity: refused in a namespace of one id, and answered as if they had been done.
const PRETENDED: &[libc::c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_capset,
];

/// The calls that make device nodes, with the place of their mode. Pipes made by them are real.
const NODES: &[(libc::c_long, u32)] = &[
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, 1),
    (libc::SYS_mknodat, 2),
];

/// Answers success to changes of owner and identity and to new device nodes, without doing them.
///
/// # Errors
/// The system's answer; `CAP_SYS_ADMIN` in the own user namespace is needed.
pub(super) fn pretend_to_own() -> io::Result<()> {
    sys::filter_calls(&mut pretending())
}

/// Refuses to signal every process there is. Needs no right; in exchange, programs with the set-user-id bit or
/// capabilities of their own gain nothing from them any more.
///
/// # Errors
/// The system's answer.
pub(super) fn spare_the_container() -> io::Result<()> {
    nix::sys::prctl::set_no_new_privs()?;
    sys::filter_calls(&mut sparing())
}

fn pretending() -> Vec<sock_filter> {
    // A 32-bit program has other numbers, which would pass unseen and leave half of a package's files unowned: it
    // fails at its first call instead.
    let mut program = vec![load(ARCHITECTURE), jump_equal(OURS, 1, 0), answer(Errno::ENOSYS as u32)];
    program.extend([load(NUMBER), jump(libc::BPF_JGE, X32, 0, 1), answer(Errno::ENOSYS as u32)]);
    for number in PRETENDED {
        program.extend([jump_equal(of(*number), 0, 1), answer(0)]);
    }
    for (number, mode) in NODES {
        program.extend([
            jump_equal(of(*number), 0, 6),
            load(argument(*mode)),
            statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, libc::S_IFMT),
            jump_equal(libc::S_IFCHR, 1, 0),
            jump_equal(libc::S_IFBLK, 0, 1),
            answer(0),
            allow(),
        ]);
    }
    program.push(allow());
    program
}

fn sparing() -> Vec<sock_filter> {
    vec![
        load(ARCHITECTURE),
        // No wall, only a guard against accidents: programs of another architecture may pass it.
        jump_equal(OURS, 0, 4),
        load(NUMBER),
        jump_equal(of(libc::SYS_kill), 0, 2),
        load(argument(0)),
        jump_equal(u32::MAX, 1, 0), // -1: every process
        allow(),
        answer(Errno::EPERM as u32),
    ]
}

/// Numbers of system calls are small and positive.
fn of(number: libc::c_long) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

fn answer(errno: u32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno)
}

fn allow() -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW)
}

fn jump_equal(value: u32, then: u8, otherwise: u8) -> sock_filter {
    jump(libc::BPF_JEQ, value, then, otherwise)
}

fn jump(test: u32, value: u32, then: u8, otherwise: u8) -> sock_filter {
    sock_filter { jt: then, jf: otherwise, ..statement(libc::BPF_JMP | test | libc::BPF_K, value) }
}

#[expect(clippy::cast_possible_truncation, reason = "the codes of BPF have 16 bits")]
fn statement(code: u32, value: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k: value }
}

#[cfg(test)]
mod tests {
    use super::*;

    const I386: u32 = 0x4000_0003;

    /// What the kernel would answer: a machine for the few instructions used here.
    fn run(program: &[sock_filter], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::from(number.to_le_bytes());
        data.extend(architecture.to_le_bytes());
        data.extend([0; 8]);
        data.extend(arguments.iter().flat_map(|argument| argument.to_le_bytes()));
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            let code = u32::from(step.code);
            let mut branch = |holds: bool| at += usize::from(if holds { step.jt } else { step.jf });
            match code {
                0x20 => {
                    let offset = step.k as usize;
                    accumulator = u32::from_le_bytes(data[offset..offset + 4].try_into().unwrap());
                }
                0x15 => branch(accumulator == step.k),
                0x35 => branch(accumulator >= step.k),
                0x54 => accumulator &= step.k,
                0x06 => return step.k,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    const DONE: u32 = libc::SECCOMP_RET_ERRNO;
    const PASS: u32 = libc::SECCOMP_RET_ALLOW;

    #[test]
    fn exactly_the_named_calls_are_pretended() {
        let program = pretending();
        for number in 0..600 {
            let expected = PRETENDED.iter().any(|pretended| of(*pretended) == number);
            let answer = run(&program, OURS, number, [0; 6]);
            assert_eq!(answer, if expected { DONE } else { PASS }, "call {number}");
        }
    }

    #[test]
    fn devices_are_pretended_and_pipes_are_real() {
        let program = pretending();
        for (number, place) in NODES {
            let with = |mode: u32| {
                let mut arguments = [u64::MAX; 6];
                arguments[*place as usize] = u64::from(mode | 0o644);
                run(&program, OURS, of(*number), arguments)
            };
            assert_eq!(with(libc::S_IFCHR), DONE);
            assert_eq!(with(libc::S_IFBLK), DONE);
            for kind in [libc::S_IFIFO, libc::S_IFREG, libc::S_IFSOCK, 0] {
                assert_eq!(with(kind), PASS, "{kind:o}");
            }
        }
    }

    #[test]
    fn calls_of_another_architecture_do_not_slip_through_with_other_numbers() {
        let missing = libc::SECCOMP_RET_ERRNO | Errno::ENOSYS as u32;
        for number in [0, 15, 182, 212, 11] {
            assert_eq!(run(&pretending(), I386, number, [0; 6]), missing);
            assert_eq!(run(&pretending(), OURS, number | X32, [0; 6]), missing);
        }
    }

    #[test]
    fn only_the_signal_to_everyone_is_refused() {
        let program = sparing();
        let refused = libc::SECCOMP_RET_ERRNO | Errno::EPERM as u32;
        let kill = |pid: i32| run(&program, OURS, of(libc::SYS_kill), [pid.cast_unsigned().into(), 9, 0, 0, 0, 0]);
        assert_eq!(kill(-1), refused);
        // The kernel looks at 32 bits of it only.
        assert_eq!(run(&program, OURS, of(libc::SYS_kill), [u64::MAX, 9, 0, 0, 0, 0]), refused);
        for pid in [0, 1, -2, 4_000_000] {
            assert_eq!(kill(pid), PASS);
        }
        assert_eq!(run(&program, OURS, of(libc::SYS_close), [u64::MAX; 6]), PASS);
        assert_eq!(run(&program, I386, of(libc::SYS_kill), [u64::MAX; 6]), PASS);
    }
}
