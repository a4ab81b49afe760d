"""What several readers need, or what would make one of them too long: numbers, joints and people out of files."""
