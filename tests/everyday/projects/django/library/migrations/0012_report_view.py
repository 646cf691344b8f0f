from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("library", "0011_rename_model")]
    operations = [
        migrations.RunSQL(
            "CREATE VIEW library_report AS SELECT w.country, count(*) AS books, sum(b.pages) AS pages"
            " FROM library_book b JOIN library_writer w ON w.id = b.writer_id GROUP BY w.country",
            "DROP VIEW library_report",
        ),
        migrations.RunSQL(
            [("INSERT INTO library_tag (word) VALUES (%s)", ["by-hand"])],
            [("DELETE FROM library_tag WHERE word = %s", ["by-hand"])],
        ),
    ]
