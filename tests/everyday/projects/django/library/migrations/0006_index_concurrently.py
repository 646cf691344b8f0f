from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("library", "0005_wider_types")]
    operations = [AddIndexConcurrently("book", models.Index(fields=["title", "-pages"], name="by_title"))]
