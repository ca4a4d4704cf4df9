"""The embedded backend: conversations with models in files on this machine, without any server.

``model_store`` finds the file of a model, ``gguf_file`` reads what it says of itself, ``machine`` knows memory and
processors. ``worker`` is a process of its own in which the engine has the model loaded, the only file that knows the
engine's package; ``engine`` starts, asks and ends it. ``requests`` says what it is sent, and ``backend`` puts all of
this behind the interface of every backend. Nothing is imported here: whether a name is that of a file is asked by
those who need none of the rest.
"""
