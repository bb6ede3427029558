"""Reporting: tables and figures from files on disk, and the site that carries them. Trains and evaluates nothing."""
