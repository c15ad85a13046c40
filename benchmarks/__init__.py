"""Programs that time graphc beside other systems, and check it on machines with a GPU."""
