"""Array jobs: one job of Batch with up to 10,000 children, followed as one.

==============  ================================================================
`roster`        in which state each child is
`spent`         how long the children have run
`chunks`        how many items a child gets
`results`       the values, in the items' order or as they come
`tracker`       one array's story so far, by listings and not by child
`taken`         what came back from a child, unpickled
`ahead`         the next results are read while one is in use
`printed`       what children have printed
`job`           the future, and the sequence of its results
`sweep`         a cell's, with the table of its results
==============  ================================================================
"""
