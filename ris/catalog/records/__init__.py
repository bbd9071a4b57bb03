"""Reference data that people edit as forms and files: what fields a kind has, how one is saved, what was before."""
