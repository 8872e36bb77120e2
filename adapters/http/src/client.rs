//! Who is at the other end of a connection: the device, its address, and how often that address may come.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use larder_ports::inbound::identity::ClientInfo;
use poem::http::HeaderMap;
use poem::http::header::USER_AGENT;
use poem::web::RemoteAddr;
use poem::{Addr, FromRequest, Request, RequestBody};

use crate::middleware::Counted;
use crate::problem::{Code, Problem};
use crate::rate::{Rate, Standing};

/// The header to which every proxy appends the address that it was called from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Finds out from which address a request comes, and refuses it when it comes from there too often (`ID-13`).
#[derive(Clone)]
pub(crate) struct Doorkeeper(Arc<Inner>);

struct Inner {
    trusted_proxies: Vec<IpNet>,
    rate: Option<Rate<IpAddr>>,
}

impl Doorkeeper {
    /// `per_minute` requests of an address may come at once, and so many more within each minute; 0 is any number.
    pub(crate) fn new(trusted_proxies: Vec<IpNet>, per_minute: u32) -> Self {
        Self(Arc::new(Inner {
            trusted_proxies,
            rate: Rate::new(per_minute),
        }))
    }

    /// The address of the client: the peer's, or behind trusted proxies the right-most hop that is none of them. What stands left
    /// of that one may be anybody's invention.
    fn address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let is_trusted = |address: &IpAddr| self.0.trusted_proxies.iter().any(|net| net.contains(address));
        let mut address = peer.to_canonical();
        let lines = headers.get_all(FORWARDED_FOR);
        let hops: Vec<&str> = lines
            .iter()
            .flat_map(|line| line.to_str().unwrap_or("").split(','))
            .collect();
        for hop in hops.into_iter().rev() {
            if !is_trusted(&address) {
                break;
            }
            // Whom a trusted proxy doesn't name in a readable way is known as that proxy.
            let Some(named) = parse_hop(hop.trim()) else { break };
            address = named;
        }
        address
    }

    /// The subscriber who sends a request; none where it comes over no network.
    pub(crate) fn subscriber(&self, request: &Request) -> Option<IpAddr> {
        self.sender(request).map(subscriber)
    }

    fn sender(&self, request: &Request) -> Option<IpAddr> {
        match request.remote_addr() {
            RemoteAddr(Addr::SocketAddr(peer)) => Some(self.address(peer.ip(), request.headers())),
            RemoteAddr(Addr::Unix(_) | Addr::Custom(..)) => None,
        }
    }

    /// Counts a request of an address; `None` where nothing is counted.
    fn count(&self, address: IpAddr) -> Option<Result<Standing, Standing>> {
        self.0.rate.as_ref().map(|rate| rate.count(subscriber(address)))
    }

    fn of(request: &Request) -> Result<&Self, Problem> {
        let set = request.data::<Self>();
        set.ok_or_else(|| Problem::internal("the doorkeeper is not set"))
    }
}

/// An address with or without a port, as proxies write it.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// What one subscriber has: an IPv4 address, or a whole /64 of IPv6, in which addresses cost nothing.
fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// The device that sends a request.
pub(crate) struct Client(pub(crate) ClientInfo);

impl Client {
    fn of(request: &Request) -> Result<(Self, Option<IpAddr>), Problem> {
        let address = Doorkeeper::of(request)?.sender(request);
        let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
        let info = ClientInfo {
            user_agent: user_agent.map(|text| text.chars().take(400).collect()),
            ip_address: address.map(|address| address.to_string()),
        };
        Ok((Self(info), address))
    }
}

impl<'a> FromRequest<'a> for Client {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let (client, _) = Self::of(request)?;
        Ok(client)
    }
}

/// The device that sends a request of which an address may send only so many in a minute (`ID-13`). Asking for it counts the
/// request, before anything else of it is judged.
pub(crate) struct CountedClient(pub(crate) ClientInfo);

impl<'a> FromRequest<'a> for CountedClient {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let (Client(info), address) = Client::of(request)?;
        let door = Doorkeeper::of(request)?;
        if let Some(counted) = address.and_then(|address| door.count(address)) {
            Counted::note(request, "sign-in", counted, Code::LoginThrottled)?;
        }
        Ok(Self(info))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn resolved(proxies: &[&str], peer: &str, forwarded: &[&str]) -> IpAddr {
        let proxies = proxies.iter().map(|net| net.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        Doorkeeper::new(proxies, 0).address(ip(peer), &headers)
    }

    #[test]
    fn id_13_the_right_most_hop_that_is_no_trusted_proxy() {
        const NONE: &[&str] = &[];
        const INNER: &[&str] = &["10.0.0.0/8", "fd00::/8"];
        for (proxies, peer, forwarded, expected) in [
            // Without trust, the header is anybody's.
            (NONE, "203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            (INNER, "203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            (INNER, "10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
            (INNER, "::ffff:10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
            (INNER, "fd00::1", &["2001:db8::7"], "2001:db8::7"),
            // What the client itself sent stands left of what the proxy says.
            (INNER, "10.1.2.3", &["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            (INNER, "10.1.2.3", &["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
            // Several proxies, the last of them outside.
            (INNER, "10.1.2.3", &["1.1.1.1, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
            (INNER, "10.1.2.3", &["10.8.8.8, 10.9.9.9"], "10.8.8.8"),
            (INNER, "10.1.2.3", &["198.51.100.1:4711"], "198.51.100.1"),
            (INNER, "10.1.2.3", &["[2001:db8::7]:4711"], "2001:db8::7"),
            (INNER, "10.1.2.3", &["198.51.100.1, unknown"], "10.1.2.3"),
            (INNER, "10.1.2.3", &[], "10.1.2.3"),
            (INNER, "10.1.2.3", &[""], "10.1.2.3"),
        ] {
            assert_eq!(resolved(proxies, peer, forwarded), ip(expected), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn id_13_every_subscriber_has_a_bucket_of_its_own() {
        let door = Doorkeeper::new(Vec::new(), 3);
        let refusals = |address: &str, count: usize| {
            let counted = (0..count).filter_map(|_| door.count(ip(address)));
            counted.filter(Result::is_err).count()
        };
        assert_eq!(refusals("203.0.113.9", 5), 2);
        assert_eq!(refusals("203.0.113.10", 3), 0);
        assert_eq!(refusals("2001:db8::1", 3), 0);
        assert_eq!(refusals("2001:db8::ffff:1", 1), 1);
        assert_eq!(refusals("2001:db8:0:1::1", 3), 0);
    }

    #[test]
    fn id_13_zero_is_off() {
        let door = Doorkeeper::new(Vec::new(), 0);
        assert!(door.count(ip("203.0.113.9")).is_none());
    }
}
