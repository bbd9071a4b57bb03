"""One builder per message that leaves by HL7 v2, each filling the skeleton of its message structure."""
