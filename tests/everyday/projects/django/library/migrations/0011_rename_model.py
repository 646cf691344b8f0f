from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0010_tags")]
    operations = [
        migrations.RenameModel("Author", "Writer"),
        migrations.RenameField("book", "author", "writer"),
        migrations.AlterField(
            "book", "writer", models.ForeignKey("library.Writer", models.CASCADE, related_name="books")
        ),
        migrations.AlterModelTable("Loan", "library_lending"),
    ]
