"""Where a message came from: the place, the port it came in by, and the names that its sender's certificate proves."""

from ipaddress import ip_address, ip_network
from typing import Any

from ris.partner.queries import PartnerRow


class Origin(str):
    """Reads as the place (`address:port` of the peer), for the journal."""

    port: int
    """Of ours; 0 when it came by no connection."""
    names: frozenset[str]
    """Common name and DNS names of the client certificate."""

    def __new__(cls, place: str, port: int = 0, names: frozenset[str] = frozenset()) -> "Origin":
        origin = super().__new__(cls, place)
        origin.port, origin.names = port, names
        return origin

    @property
    def address(self) -> str:
        return self.rpartition(":")[0]

    def is_from(self, addresses: str) -> bool:
        """Whether the peer is at one of the addresses or in one of the networks, parted by blanks; anybody is, of none."""
        if not addresses.strip():
            return True
        try:
            here = ip_address(self.address)
        except ValueError:
            return False
        return any(here in ip_network(network, strict=False) for network in addresses.split())


def is_let_in(origin: str, partner: PartnerRow) -> bool:
    """Whether a message of this partner may come from there; what came by no connection (a file, a replay) always may."""
    if not isinstance(origin, Origin) or not origin.port:
        return True
    wanted = str(partner.agreed("certificate_name"))
    return origin.is_from(str(partner.agreed("addresses"))) and (not wanted or wanted in origin.names)


def certified_names(certificate: dict[str, Any] | None) -> frozenset[str]:
    """Of `ssl.SSLSocket.getpeercert()`; none without a certificate that was asked for and checked."""
    if not certificate:
        return frozenset()
    common = [value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
    return frozenset(common) | {value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}
