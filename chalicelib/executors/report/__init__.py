"""Jobs that make reports: rows of databases and HTTP sources as PDF, Excel, CSV or HTML, stored and mailed."""

from chalicelib.domain.lanes import Lane

LANE: Lane = "report"
