"""One exam: what was asked, what happened, and its trail."""
