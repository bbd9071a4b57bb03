"""The demo hospital: catalogue and staff from config/catalog, patients and a past that the services make."""
