"""From due timers to rings on the lanes: order, journal, phase, and the floor below which nothing rings."""
