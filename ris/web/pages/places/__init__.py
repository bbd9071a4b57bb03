"""The pages of places: sites, rooms, hours, closures, helpers, holidays."""
