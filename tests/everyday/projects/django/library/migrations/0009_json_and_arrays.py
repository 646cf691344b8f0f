from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0008_mend_rows")]
    operations = [
        migrations.AlterField("book", "pages", models.BigIntegerField(default=0)),
        migrations.AddField("book", "meta", models.JSONField(default=dict)),
        migrations.AddField("book", "aliases", ArrayField(models.TextField(), default=list)),
    ]
