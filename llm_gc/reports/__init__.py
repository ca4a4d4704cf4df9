"""What people read: pictures, pages, figures, and the report of a rehearsal."""
