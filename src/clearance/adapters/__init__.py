"""What touches the world: one package per port; the families never import each other."""
