"""The command line of the program: its own commands, and those of the simulated peers."""

from ris.processes.commands import main
from ris.simulator.command import receive, send, simulate

for command in (simulate, send, receive):
    main.add_command(command)

if __name__ == "__main__":
    main()
