"""Actions run one by one, each in a limited process of its own.

Three processes: the caller's (`runner`), one without clients or credentials that has imported the
machine and does nothing but fork (`server`), and its child, which lives for one action (`worker`).
`wire` is what they tell each other, `trust` what the caller makes of it.
"""
