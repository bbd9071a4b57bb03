"""The browser's side: pages over queries and services, each with its permission."""
