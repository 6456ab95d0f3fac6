"""From a build to a bitstream on a board, with tools that pip installs."""
