"""One module a command or a group of commands; `cli.main` loads the one that is asked for."""
