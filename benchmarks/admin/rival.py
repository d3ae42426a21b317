"""The same two answers from FastAPI: a list of participants and one run, from SQLite, over mTLS."""

import sqlite3
import sys

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

application = FastAPI()


class Participant(BaseModel):
    node: str
    name: str
    address: str
    joined_at: str
    reachable: bool
    last_seen: str | None = None
    status: dict | None = None


class Participants(BaseModel):
    items: list[Participant]


class Run(BaseModel):
    id: str
    name: str
    state: str
    submitted_at: str
    submitted_by: str
    rounds: int
    rounds_committed: int
    dataset: str
    loss: float | None = None
    accuracy: float | None = None
    epsilon_max: float | None = None
    delta: float | None = None
    noise_multiplier: float | None = None
    model: str | None = None
    specification: dict


def open_store(path):
    connection = sqlite3.connect(path, check_same_thread=False)
    return connection


def prepare(path, participants, run):
    import json

    connection = open_store(path)
    connection.execute("CREATE TABLE participant (name TEXT PRIMARY KEY, body TEXT)")
    connection.execute("CREATE TABLE run (name TEXT PRIMARY KEY, body TEXT)")
    for item in json.loads(participants)["items"]:
        connection.execute("INSERT INTO participant VALUES (?, ?)", (item["name"], json.dumps(item)))
    body = json.loads(run)
    connection.execute("INSERT INTO run VALUES (?, ?)", (body["name"], run))
    connection.commit()


def serve(path, port, certificate, key, authority):
    import json

    import uvicorn

    connection = open_store(path)

    @application.get("/api/v1/participants", response_model=Participants)
    async def participants():
        rows = connection.execute("SELECT body FROM participant ORDER BY name").fetchall()
        return {"items": [json.loads(body) for (body,) in rows]}

    @application.get("/api/v1/runs/{name}", response_model=Run)
    async def show(name: str):
        row = connection.execute("SELECT body FROM run WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise HTTPException(404)
        return json.loads(row[0])

    uvicorn.run(
        application, host="127.0.0.1", port=port, ssl_certfile=certificate, ssl_keyfile=key,
        ssl_ca_certs=authority, ssl_cert_reqs=2, log_level="warning", access_log=False)


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        prepare(sys.argv[2], open(sys.argv[3]).read(), open(sys.argv[4]).read())
    else:
        serve(sys.argv[2], int(sys.argv[3]), *sys.argv[4:7])
