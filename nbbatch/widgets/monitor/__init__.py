"""The monitor: the live table of many jobs, and what is opened below it.

==========  ===========================================================
`view`      the widget and its clicks
`changes`   what has changed since the page was told the last time
`presence`  whether a page still shows what is live
`shelf`     cards and outputs below the table
`painting`  outputs below a cell that has ended
`table`     the table as plain HTML and plain text
==========  ===========================================================
"""
