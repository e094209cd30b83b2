//! The address that the emulator's network expects (QEMU, "Using the user mode network stack").

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, OwnedFd};

const NAME: &[u8] = b"eth0";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

/// Gives the first interface its address and a way out.
pub(super) fn up() -> io::Result<()> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let address = |address| libc::__c_anonymous_ifr_ifru { ifru_addr: general(address) };
    request(&socket, libc::SIOCSIFADDR, address(ADDRESS))?;
    request(&socket, libc::SIOCSIFNETMASK, address(MASK))?;
    let flags = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).map_err(io::Error::other)?;
    request(&socket, libc::SIOCSIFFLAGS, libc::__c_anonymous_ifr_ifru { ifru_flags: flags })?;
    default_route(&socket)
}

#[expect(unsafe_code, reason = "the interface ioctls have no safe wrapper")]
fn request(socket: &OwnedFd, what: libc::Ioctl, value: libc::__c_anonymous_ifr_ifru) -> io::Result<()> {
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name.iter_mut().zip(NAME) {
        *to = from.cast_signed();
    }
    let request = libc::ifreq { ifr_name: name, ifr_ifru: value };
    // SAFETY: each of these reads an ifreq, which request is, with the member of its union that belongs to it.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), what, &raw const request) })?;
    Ok(())
}

#[expect(unsafe_code, reason = "the routing ioctls have no safe wrapper")]
fn default_route(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: an all-zero rtentry is a valid value of this plain C structure.
    let mut route: libc::rtentry = unsafe { std::mem::zeroed() };
    route.rt_dst = general(Ipv4Addr::UNSPECIFIED);
    route.rt_genmask = general(Ipv4Addr::UNSPECIFIED);
    route.rt_gateway = general(GATEWAY);
    route.rt_flags = libc::RTF_UP | libc::RTF_GATEWAY;
    // SAFETY: SIOCADDRT reads an rtentry, which route is; it names no device.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCADDRT, &raw const route) })?;
    Ok(())
}

/// An address as the ioctls take it.
fn general(address: Ipv4Addr) -> libc::sockaddr {
    // sockaddr_in: two bytes of port, then the address (ip(7)).
    let mut data = [0; 14];
    for (to, from) in data[2..6].iter_mut().zip(address.octets()) {
        *to = from.cast_signed();
    }
    #[expect(clippy::cast_possible_truncation, reason = "AF_INET is 2")]
    libc::sockaddr { sa_family: libc::AF_INET as libc::sa_family_t, sa_data: data }
}
