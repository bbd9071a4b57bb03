"""Who is at the other end of a wire: partners, destinations, subscriptions, and the policies between us."""
