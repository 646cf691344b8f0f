from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0004_rename_field")]
    operations = [
        migrations.AlterField("author", "name", models.CharField(max_length=120, db_index=True)),
        migrations.AlterField("book", "title", models.TextField()),
        migrations.AlterField("book", "pages", models.BigIntegerField(null=True)),
    ]
