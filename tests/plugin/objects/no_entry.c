int shoal_plugin_entrance(void);
int shoal_plugin_entrance(void)
{
    return 0;
}
