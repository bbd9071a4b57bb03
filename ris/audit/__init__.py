"""Who read or changed what, when and from where: written with the act itself, sealed afterwards, never altered."""
