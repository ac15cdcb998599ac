"""`proviso watchlist import`: many pictures at once.

Everything is read and checked before anything is sent (plan), then sent a few at a time (sending), each outcome noted
in a journal (journal), and what was rejected told in a report (report). The server makes it safe to do twice: the same
picture for the same entry is one reference. The journal only saves the work of asking again.
"""
