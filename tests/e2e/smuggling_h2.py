"""The same over HTTP/2 in clear text, with a client that checks nothing of what it sends."""

import socket

import h2.config
import h2.connection
import h2.events
import h2.exceptions

import stage

CONFIG = h2.config.H2Configuration(
    client_side=True,
    header_encoding="latin-1",
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
    validate_inbound_headers=False,
)


def exchange_h2(port, case, body_of):
    """One stream for the case and one for each in `then`, opened together; the answers in that order."""
    cases = [case, *case.get("then", [])]
    connection = h2.connection.H2Connection(CONFIG)
    connection.initiate_connection()
    answers = {}
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        for one in cases:
            stream = connection.get_next_available_stream_id()
            answers[stream] = None
            parts = one.get("data")
            parts = [part.encode() for part in parts] if parts is not None else [body_of(one)]
            trailers = one.get("trailers")
            headers = [tuple(pair) for pair in one["h2"]]
            connection.send_headers(stream, headers, end_stream=not any(parts) and not trailers)
            for number, part in enumerate(parts):
                last = number == len(parts) - 1 and not trailers
                if part or last and any(parts):
                    connection.send_data(stream, part, end_stream=last)
            if trailers:
                connection.send_headers(stream, [tuple(pair) for pair in trailers], end_stream=True)
        wire.sendall(connection.data_to_send())
        read(wire, connection, answers)
    return [answer if answer and answer.status else None for answer in answers.values()]


def read(wire, connection, answers):
    """Until every stream has ended, or the connection."""
    open_streams = set(answers)
    while open_streams:
        try:
            data = wire.recv(65536)
            events = connection.receive_data(data) if data else [None]
        except (ConnectionError, TimeoutError, h2.exceptions.ProtocolError):
            return
        for event in events:
            match event:
                case None | h2.events.ConnectionTerminated():
                    return
                case h2.events.ResponseReceived():
                    headers = dict(event.headers)
                    answers[event.stream_id] = stage.Reply(int(headers[":status"]), headers, b"")
                case h2.events.DataReceived():
                    answers[event.stream_id].body += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded() | h2.events.StreamReset():
                    open_streams.discard(event.stream_id)
        wire.sendall(connection.data_to_send())
