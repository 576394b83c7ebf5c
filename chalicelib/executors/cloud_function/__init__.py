"""Jobs that call functions and workflows in clouds: AWS, Google and Azure."""
