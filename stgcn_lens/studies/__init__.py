"""Studies: a frozen configuration in, files of the run folder out."""
