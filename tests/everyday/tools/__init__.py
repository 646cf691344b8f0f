"""The tools that are not narrows' own, each where its own package manager puts it."""
