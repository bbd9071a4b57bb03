"""Messages to patients in the browser: how each site writes, what is said, a patient's messages, and the page that stops them."""
