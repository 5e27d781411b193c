//! The network: a fixed address on the first device, by messages of rtnetlink.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use cocoon_image::NetworkConfig;
use rustix::fd::OwnedFd;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, sendto, socket};

use crate::error::{Doing as _, InitError};

// linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h
const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
const ERROR: u16 = 2;
const REQUEST_ACKNOWLEDGED: u16 = 0x1 | 0x4;
const CREATE: u16 = 0x400;
const UP: u32 = 1;
const INET: u8 = 2;
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const GATEWAY: u16 = 5;
const TABLE_MAIN: u8 = 254;
const PROTOCOL_BOOT: u8 = 3;
const TYPE_UNICAST: u8 = 1;

/// Brings up the loopback device and, if the configuration has one, the network.
pub(crate) fn up(config: Option<&NetworkConfig>) -> Result<(), InitError> {
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None).doing("open netlink")?;
    ask(&netlink, NEW_LINK, 0, &link_up(index("lo")?)).doing("bring up the loopback device")?;
    let Some(config) = config else {
        return Ok(());
    };
    let device = index(&first_device()?)?;
    ask(&netlink, NEW_LINK, 0, &link_up(device)).doing("bring up the network device")?;
    ask(
        &netlink,
        NEW_ADDRESS,
        CREATE,
        &address(device, config.address, config.prefix),
    )
    .doing("set the address")?;
    ask(&netlink, NEW_ROUTE, CREATE, &default_route(config.gateway)).doing("set the gateway")
}

fn first_device() -> Result<String, InitError> {
    let entries = fs::read_dir("/sys/class/net").doing("list the network devices")?;
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    // A link to hardware tells a real device from the kernel's own.
    let real = |name: &String| Path::new("/sys/class/net").join(name).join("device").exists();
    names.filter(real).min().ok_or(InitError::NoNetwork)
}

fn index(device: &str) -> Result<u32, InitError> {
    let path = format!("/sys/class/net/{device}/ifindex");
    let text = fs::read_to_string(&path).doing(format!("read {path}"))?;
    text.trim().parse().map_err(|_| InitError::NoNetwork)
}

/// `struct ifinfomsg`.
fn link_up(device: u32) -> Vec<u8> {
    let mut message = vec![0; 4];
    for word in [device, UP, UP] {
        message.extend(word.to_ne_bytes());
    }
    message
}

/// `struct ifaddrmsg` and its attributes.
fn address(device: u32, address: Ipv4Addr, prefix: u8) -> Vec<u8> {
    let mut message = vec![INET, prefix, 0, 0];
    message.extend(device.to_ne_bytes());
    attribute(&mut message, LOCAL, address);
    attribute(&mut message, ADDRESS, address);
    message
}

/// `struct rtmsg` and its attribute.
fn default_route(gateway: Ipv4Addr) -> Vec<u8> {
    let mut message = vec![INET, 0, 0, 0, TABLE_MAIN, PROTOCOL_BOOT, 0, TYPE_UNICAST, 0, 0, 0, 0];
    attribute(&mut message, GATEWAY, gateway);
    message
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: Ipv4Addr) {
    message.extend(8_u16.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value.octets());
}

/// Sends one message and waits until the kernel says that it is done.
fn ask(netlink: &OwnedFd, kind: u16, flags: u16, message: &[u8]) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(16 + message.len());
    request.extend((16 + message.len() as u32).to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend((REQUEST_ACKNOWLEDGED | flags).to_ne_bytes());
    request.extend([0; 8]); // sequence number and port: one request at a time
    request.extend(message);
    sendto(netlink, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0_u8; 4096];
    let (length, _) = recv(netlink, &mut answer, RecvFlags::empty())?;
    let odd = || std::io::Error::other("an answer that is no acknowledgement");
    let answer = answer.get(..length).ok_or_else(odd)?;
    match (answer.get(4..6), answer.get(16..20)) {
        (Some(kind), Some(code)) if kind == ERROR.to_ne_bytes() => {
            let mut number = [0; 4];
            number.copy_from_slice(code);
            match i32::from_ne_bytes(number) {
                0 => Ok(()),
                code => Err(std::io::Error::from_raw_os_error(-code)),
            }
        }
        _ => Err(odd()),
    }
}
