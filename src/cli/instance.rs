//! Options of the verbs that run instances on this machine.

use crate::sandbox::{self, Limits, Network};

/// Options of the verbs that run instances on this machine.
#[derive(Debug, Clone, clap::Args)]
pub struct InstanceArgs {
    /// Give instances no network but their own loopback.
    #[arg(long)]
    pub offline: bool,
    /// Insist on a way of keeping instances apart, such as root-ident or userns-subid; the best there is when absent.
    #[arg(long, value_name = "MODE", env = "AMIFORGE_SANDBOX_MODE", value_parser = sandbox::MODES)]
    pub sandbox: Option<String>,
    /// Memory that each instance may use, such as 512M or 2G; three quarters of the machine's when absent.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// Processes and threads that each instance may have at one time; 4096 when absent.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub processes: Option<u64>,
    /// What each instance may write to its disk, such as 4G; all that is free but for one GiB when absent.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub disk: Option<u64>,
}

impl InstanceArgs {
    /// What instances may reach.
    pub fn network(&self) -> Network {
        if self.offline { Network::Loopback } else { Network::Host }
    }

    /// What instances may use up.
    pub fn limits(&self) -> Limits {
        Limits { memory: self.memory, processes: self.processes, disk: self.disk }
    }
}

/// Reads a number of bytes: digits, and `K`, `M`, `G` or `T` for powers of 1,024.
fn size(text: &str) -> Result<u64, &'static str> {
    let units = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];
    let unit = units
        .into_iter()
        .find_map(|(name, shift)| Some((text.strip_suffix([name, name.to_ascii_lowercase()])?, shift)));
    let (digits, shift) = unit.unwrap_or((text, 0));
    let number: u64 =
        digits.parse().map_err(|_| "write a number of bytes, or one with K, M, G or T behind it: 512M")?;
    match number.checked_mul(1 << shift) {
        None => Err("the number is too large"),
        Some(0) => Err("nothing runs with nothing"),
        Some(bytes) => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_numbers_with_a_unit() {
        assert_eq!(size("512M"), Ok(512 << 20));
        assert_eq!(size("2g"), Ok(2 << 30));
        assert_eq!(size("100"), Ok(100));
        for wrong in ["", "M", "-1", "1.5G", "1X", "0", "99999999999T"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
