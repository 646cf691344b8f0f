from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("library", "0003_fields_with_defaults")]
    operations = [migrations.RenameField("author", "full_name", "name")]
