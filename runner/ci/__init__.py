"""What workflows of a forge call: each reads the event that started it, and tells what came of it.

    pull request  -> request.py  -> merged tree -> plan -> comment, status, annotations, summary
    default branch -> deploy.py  -> apply, sync -> statuses, comments on the introducing requests
    comment       -> command.py  -> who may -> launch, rerun, retry, cancel, try -> an answer

The event is data of unknown origin: it is parsed into frozen values, and no text of it reaches a
shell.
"""
