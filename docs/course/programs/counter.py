#!/usr/bin/env python3
# Counts all visits, in a database: a file that many processes can work on at once.
import sqlite3
import time

book = sqlite3.connect("counter.db", timeout=30, isolation_level=None)
book.execute("CREATE TABLE IF NOT EXISTS counter (visits INTEGER)")
book.execute("INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT * FROM counter)")

# book.execute("BEGIN IMMEDIATE")
(visits,) = book.execute("SELECT visits FROM counter").fetchone()
time.sleep(2)  # some work, so that you can see what happens meanwhile
book.execute("UPDATE counter SET visits = ?", (visits + 1,))
# book.execute("COMMIT")

print("Content-Type: text/plain\n")
print(f"Visit number {visits + 1}.")
