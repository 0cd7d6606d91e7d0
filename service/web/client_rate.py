"""How often a second each client may ask, in one worker: a bucket of tokens for each, kept as a single moment."""

import ipaddress
import time
from collections import OrderedDict

# Clients that are kept; of more, those that have asked last. One that was forgotten begins anew.
MOST_CLIENTS = 10_000

# Seconds between two requests of a client, however small the rate.
LONGEST_INTERVAL = 3600.0

# Seconds by which sums of floats may be off.
ROUNDING = 1e-6

# Characters of what is no address: a proxy may say anything.
MOST_CHARACTERS = 64

# Bits of an IPv6 address that name a subscriber, who has all addresses behind them.
SUBSCRIBER_BITS = 64


class ClientRate:
    """`rate`: requests a second, as many of them at once, but one at least."""

    def __init__(self, rate: float) -> None:
        self._interval = min(1 / rate, LONGEST_INTERVAL)
        self._ahead = (max(1.0, rate) - 1) / rate + ROUNDING
        # By client, when all that it has asked for would have been due at an even pace.
        self._due: OrderedDict[str, float] = OrderedDict()

    def wait(self, client: str) -> float:
        """Seconds until it may ask again; 0: now, and that is counted."""
        now = time.monotonic()
        due = max(now, self._due.get(client, now))
        if due - now > self._ahead:
            return due - now - self._ahead
        self._due[client] = due + self._interval
        self._due.move_to_end(client)
        if len(self._due) > MOST_CLIENTS:
            self._due.popitem(last=False)
        return 0


def subscriber(address: str) -> str:
    """Who an address is of: itself, or of IPv6 the network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:MOST_CHARACTERS]
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped:  # as a socket of both versions has them
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed.packed, SUBSCRIBER_BITS), strict=False))
