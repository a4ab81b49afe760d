"""Pictures of arrays: the canvas player, static figures and the colours they share. Nothing is computed here."""
