"""Documents as people hold them: frozen rows in, PDF bytes out."""
