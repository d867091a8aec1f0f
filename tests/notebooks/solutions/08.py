dbg = nvlab.debug(ctrl)
dbg.break_on("command", opcode="Write", condition="int(command.slba) == 0")
dbg.run(housekeeping, ctrl)
names = [frame.function for frame in dbg.bt()]
who = names[names.index("_store") + 1]
dbg.detach()
dbg.wait()
