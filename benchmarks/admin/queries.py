"""Asks the audit log the same again and again over one connection, and says how long an answer takes.

queries.py PORT CA CERTIFICATE KEY QUERY...
"""

import http.client
import json
import ssl
import statistics
import sys
import time

port, authority, certificate, key, *queries = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
context.load_cert_chain(certificate, key)
connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=context)
for query in queries:
    times = []
    for _ in range(20):
        began = time.perf_counter()
        connection.request("GET", "/api/v1/audit?" + query)
        response = connection.getresponse()
        body = response.read()
        times.append((time.perf_counter() - began) * 1000)
        if response.status != 200:
            sys.exit(f"{response.status}: {body[:200]}")
    found = len(json.loads(body)["items"])
    print(f"{statistics.median(times):6.1f} ms, at most {max(times):6.1f}  {found:4d} records  {query}")
