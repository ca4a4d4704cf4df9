"""Tests of studies: their statistics, graders, files and reports."""
