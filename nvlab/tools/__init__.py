"""The command line: a module for each command of `nvlab`, and what they share."""
