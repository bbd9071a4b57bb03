"""Reference data: sites, rooms, opening hours, procedures, durations, report templates, charge codes, code maps."""
