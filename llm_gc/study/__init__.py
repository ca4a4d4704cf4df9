"""Studies: recipes held against each other over the same tasks.

Read ``study_file`` (what a study says), ``graders`` (what an answer is worth), and ``paired_statistics`` (what the
grades allow to say).
"""
