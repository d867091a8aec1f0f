"""The drive: a subsystem, its controller, and the commands that it executes, over whatever carries them."""
